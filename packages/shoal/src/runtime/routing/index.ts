export { type BucketTable, bucketCount, bucketOf, buildBucketTable, noEndpoint } from './bucket-table.ts';
export { createRouter } from './create-router.ts';
export type { KeyedRouting } from './keyed.ts';
export type { EndpointKeys, Router, RouterContext, RouterEndpoint } from './router.ts';
