import { ServiceBroker } from 'moleculer';
import { askBy, sessionOf } from './drive.ts';
import { answer, makePayloads, type Payload } from './payload.ts';
import type { HopSystem } from './system.ts';

/** Everything off that a local call can do without. */
export const moleculerSystem: HopSystem = {
  name: 'moleculer, local action, middlewares off',
  system: 'moleculer',
  kind: 'request',
  where: 'same-thread',
  open: async (kind) => {
    const broker = new ServiceBroker({
      logger: false,
      validator: false,
      internalServices: false,
      internalMiddlewares: false,
    });
    broker.createService({
      name: 'bench',
      // The handler's argument is a context; its parameters are passed by reference.
      actions: { answer: (context: { params: Payload }) => answer(context.params) },
    });
    await broker.start();
    const call = (payload: Payload): Promise<Payload> => broker.call('bench.answer', payload);
    return sessionOf(askBy(call), makePayloads(kind), () => broker.stop());
  },
};
