/** `/metrics` for Prometheus: the newest reports and the controller's view, one series per instance, thread, process. */
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import {
  bucketLowerMs,
  type InstanceSample,
  type PortSample,
  type Report,
  type TimeHistogram,
} from '../../wire/index.ts';
import type { ControlSource } from './control-source.ts';

/** A series: labels and a value. */
type Row = readonly [labels: Record<string, string>, value: number];
type Collect = (source: ControlSource) => readonly Row[];

interface Definition {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  readonly collect: Collect;
}

const processLabels = (report: Report): Record<string, string> => ({
  machine: report.machine,
  process: report.process,
});

function ofInstances(value: (sample: InstanceSample) => number): Collect {
  return (source) =>
    source.reports().flatMap((report) =>
      report.instances.map((sample): Row => {
        const labels = { ...processLabels(report), msu: sample.msu, instance: String(sample.instanceId) };
        return [labels, value(sample)];
      }),
    );
}

/** One series for each entry of something that an instance has by name. */
function byName(
  label: string,
  value: (sample: InstanceSample) => Readonly<Partial<Record<string, number>>>,
): Collect {
  return (source) =>
    source.reports().flatMap((report) =>
      report.instances.flatMap((sample) =>
        Object.entries(value(sample)).map(([name, count]): Row => {
          const labels = {
            ...processLabels(report),
            msu: sample.msu,
            instance: String(sample.instanceId),
            [label]: name,
          };
          return [labels, count ?? 0];
        }),
      ),
    );
}

/** By port, named as in the code of an app: `in.ask`, `out.search`. */
const byPort = (value: (port: PortSample) => number): Collect =>
  byName('port', (sample) =>
    Object.fromEntries(sample.ports.map((port) => [`${port.direction}.${port.name}`, value(port)])),
  );

function ofThreads(value: (sample: Report['threads'][number]) => number): Collect {
  return (source) =>
    source.reports().flatMap((report) =>
      report.threads.map((sample): Row => {
        return [{ ...processLabels(report), thread: sample.name }, value(sample)];
      }),
    );
}

function ofProcesses(value: (report: Report) => number): Collect {
  return (source) => source.reports().map((report): Row => [processLabels(report), value(report)]);
}

/** One per machine: its figures are in the reports of each of its processes. */
function ofMachines(value: (report: Report) => number): Collect {
  return (source) => {
    const newest = new Map(source.reports().map((report) => [report.machine, report]));
    return [...newest].map(([machine, report]): Row => [{ machine }, value(report)]);
  };
}

const instance = ['machine', 'process', 'msu', 'instance'];
const reason = [...instance, 'reason'];
const thread = ['machine', 'process', 'thread'];
const process = ['machine', 'process'];
const seconds = (ms: number): number => ms / 1_000;

/** Every metric but the histogram. The unit is in the name, as Prometheus has it: seconds, bytes, ratio. */
export const metricDefinitions: readonly Definition[] = [
  {
    name: 'shoal_messages_accepted_total',
    kind: 'counter',
    help: 'Messages accepted into the queue of the instance.',
    labels: instance,
    collect: ofInstances((s) => s.accepted),
  },
  {
    name: 'shoal_messages_done_total',
    kind: 'counter',
    help: 'Messages that the instance handled.',
    labels: instance,
    collect: ofInstances((s) => s.done),
  },
  {
    name: 'shoal_messages_failed_total',
    kind: 'counter',
    help: 'Accepted messages that failed, by reason.',
    labels: reason,
    collect: byName('reason', (s) => s.failed),
  },
  {
    name: 'shoal_messages_shed_total',
    kind: 'counter',
    help: 'Accepted messages that were not handled, by reason.',
    labels: reason,
    collect: byName('reason', (s) => s.shed),
  },
  {
    name: 'shoal_messages_refused_total',
    kind: 'counter',
    help: 'Messages of the instance that were not accepted, by reason.',
    labels: reason,
    collect: byName('reason', (s) => s.refused),
  },
  {
    name: 'shoal_handler_seconds_total',
    kind: 'counter',
    help: 'Time spent in handlers.',
    labels: instance,
    collect: ofInstances((s) => seconds(s.handlerMs)),
  },
  {
    name: 'shoal_busy_seconds_total',
    kind: 'counter',
    help: 'Time for which the instance kept its thread busy.',
    labels: instance,
    collect: ofInstances((s) => seconds(s.busyMs)),
  },
  {
    name: 'shoal_queue_length_messages',
    kind: 'gauge',
    help: 'Messages that wait, without those in service.',
    labels: instance,
    collect: ofInstances((s) => s.queueLength),
  },
  {
    name: 'shoal_in_service_messages',
    kind: 'gauge',
    help: 'Messages in service.',
    labels: instance,
    collect: ofInstances((s) => s.inService),
  },
  {
    name: 'shoal_states',
    kind: 'gauge',
    help: 'Keyed states that the instance holds.',
    labels: instance,
    collect: ofInstances((s) => s.states),
  },
  {
    name: 'shoal_port_received_bytes_total',
    kind: 'counter',
    help: 'Bytes of payloads that came to the port from other threads, replies included; by reference there are none.',
    labels: [...instance, 'port'],
    collect: byPort((port) => port.receivedBytes),
  },
  {
    name: 'shoal_port_sent_bytes_total',
    kind: 'counter',
    help: 'Bytes of payloads that went from the port to other threads, replies included; by reference there are none.',
    labels: [...instance, 'port'],
    collect: byPort((port) => port.sentBytes),
  },
  {
    name: 'shoal_orphans_total',
    kind: 'counter',
    help: 'Replies to requests that were over (timed out, or made by a predecessor), and results of handlers whose message had ended by its run limit.',
    labels: instance,
    collect: ofInstances((s) => s.orphans),
  },
  {
    name: 'shoal_notices_coalesced_total',
    kind: 'counter',
    help: 'Error notices of the instance in whose place a newer one of the same flow key went upstream.',
    labels: instance,
    collect: ofInstances((s) => s.noticesCoalesced),
  },
  {
    name: 'shoal_notices_lost_total',
    kind: 'counter',
    help: 'Error notices of the instance that upstream never gets.',
    labels: instance,
    collect: ofInstances((s) => s.noticesLost),
  },
  {
    name: 'shoal_custom_counter',
    kind: 'gauge',
    help: 'What the type counts itself, by context.count.',
    labels: [...instance, 'counter'],
    collect: byName('counter', (s) => s.counters),
  },
  {
    name: 'shoal_thread_cpu_seconds_total',
    kind: 'counter',
    help: 'CPU time of the thread.',
    labels: thread,
    collect: ofThreads((s) => seconds(s.cpuMs)),
  },
  {
    name: 'shoal_thread_run_queue_seconds_total',
    kind: 'counter',
    help: 'Time for which the thread could run but waited for a core.',
    labels: thread,
    collect: ofThreads((s) => seconds(s.runQueueWaitMs)),
  },
  {
    name: 'shoal_thread_heap_bytes',
    kind: 'gauge',
    help: 'Heap in use on the thread.',
    labels: thread,
    collect: ofThreads((s) => s.heapUsedBytes),
  },
  {
    name: 'shoal_thread_restarts_total',
    kind: 'counter',
    help: 'Times that the thread was replaced.',
    labels: thread,
    collect: ofThreads((s) => s.restarts),
  },
  {
    name: 'shoal_process_resident_bytes',
    kind: 'gauge',
    help: 'Resident memory of the process.',
    labels: process,
    collect: ofProcesses((r) => r.processSample.residentBytes),
  },
  {
    name: 'shoal_process_open_descriptors',
    kind: 'gauge',
    help: 'Open file descriptors of the process.',
    labels: process,
    collect: ofProcesses((r) => r.processSample.openDescriptors),
  },
  {
    name: 'shoal_process_descriptors_max',
    kind: 'gauge',
    help: 'Limit of open file descriptors of the process.',
    labels: process,
    collect: ofProcesses((r) => r.processSample.descriptorsMax),
  },
  {
    name: 'shoal_machine_cores',
    kind: 'gauge',
    help: 'Cores that the machine may use.',
    labels: ['machine'],
    collect: ofMachines((r) => r.machineSample.cores),
  },
  {
    name: 'shoal_machine_free_cores',
    kind: 'gauge',
    help: "Cores' worth of CPU that was idle over the last window.",
    labels: ['machine'],
    collect: ofMachines((r) => r.machineSample.freeCores),
  },
  {
    name: 'shoal_type_instances',
    kind: 'gauge',
    help: 'Instances of the type that serve.',
    labels: ['msu'],
    collect: (source) => source.view().types.map((type): Row => [{ msu: type.msu }, type.serving]),
  },
  {
    name: 'shoal_type_overloaded',
    kind: 'gauge',
    help: '1 while the controller holds the type to be overloaded.',
    labels: ['msu'],
    collect: (source) =>
      source.view().types.map((type): Row => [{ msu: type.msu }, type.isOverloaded ? 1 : 0]),
  },
  {
    name: 'shoal_clones',
    kind: 'gauge',
    help: 'Clones that exist, over all types.',
    labels: [],
    collect: (source) => [[{}, source.view().clones]],
  },
];

/** Name of the histogram of sojourn times, in seconds. */
export const sojournMetric = 'shoal_sojourn_seconds';
/** Its buckets end at 2^6 µs (64 µs), 2^7 µs … 2^24 µs (16.8 s). */
const firstPower = 6;
const lastPower = 24;

/** Cumulative buckets of one instance, as Prometheus wants them. */
function histogramRows(labels: Record<string, string>, times: TimeHistogram): object[] {
  const rows: object[] = [];
  const row = (suffix: string, value: number, le: Record<string, string> = {}): void => {
    rows.push({ metricName: `${sojournMetric}_${suffix}`, labels: { ...labels, ...le }, value });
  };
  let count = 0;
  let sum = 0;
  let bucket = 0;
  const addUpTo = (end: number): void => {
    for (; bucket < end && bucket < times.length; bucket++) {
      count += times[bucket] ?? 0;
      sum += (times[bucket] ?? 0) * seconds((bucketLowerMs(bucket) + bucketLowerMs(bucket + 1)) / 2);
    }
  };
  for (let power = firstPower; power <= lastPower; power++) {
    addUpTo(power * 4);
    row('bucket', count, { le: String(2 ** power / 1e6) });
  }
  addUpTo(times.length);
  row('bucket', count, { le: '+Inf' });
  row('sum', sum);
  row('count', count);
  return rows;
}

/** prom-client counts by itself; our counts come ready from shared memory, so this is a metric of another make. */
function sojournHistogram(source: ControlSource): Metric {
  const metric = {
    name: sojournMetric,
    get: () =>
      Promise.resolve({
        name: sojournMetric,
        help: 'Time from acceptance of a message until its handler is done, of those done; its sum is computed from the middles of fine buckets.',
        type: 'histogram',
        aggregator: 'sum',
        values: source.reports().flatMap((report) =>
          report.instances.flatMap((sample) => {
            const labels = { ...processLabels(report), msu: sample.msu, instance: String(sample.instanceId) };
            return histogramRows(labels, sample.sojournTime);
          }),
        ),
      }),
  };
  return metric as unknown as Metric;
}

/** Makes a registry that reads the source each time it is asked. */
export function createMetrics(source: ControlSource): Registry {
  const registry = new Registry();
  for (const { name, kind, help, labels, collect } of metricDefinitions) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'gauge') {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const [row, value] of collect(source)) this.set(row, value);
        },
      });
    } else {
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const [row, value] of collect(source)) this.inc(row, value);
        },
      });
    }
  }
  registry.registerMetric(sojournHistogram(source));
  return registry;
}
