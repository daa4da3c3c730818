// What Watt starts in each of its worker threads: the same service as in every other deployment.
import { createService } from '../../dist/service/create-service.js';
import { readServiceOptions } from '../../dist/service/options.js';

export function create() {
  return createService(readServiceOptions(process.env));
}
