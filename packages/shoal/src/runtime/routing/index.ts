export { createRouter } from './create-router.ts';
export type { Router, RouterContext, RouterEndpoint } from './router.ts';
