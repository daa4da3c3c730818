import type { Place } from '../place.ts';

/** Where in its file a value of a deployment stands, by its path: `['machines', 0, 'name']`. */
export type PlaceOfPath = (path: readonly (string | number)[]) => Place;
