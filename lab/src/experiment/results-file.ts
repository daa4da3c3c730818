import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { LabError } from '../lab-error.ts';
import { type Cell, cellKey, type ExperimentResults } from './results.ts';

/** A results file that grows cell by cell, so that a stopped experiment goes on where it was. */
export interface ResultsFile {
  readonly results: ExperimentResults;
  /** Adds a cell, in place of an earlier one of the same name, and writes the file; a crash leaves the old file or the new one, never half of one. */
  add(cell: Cell): void;
}

/** JSON with one cell a line: readable, and small in a diff. */
export function formatResults(results: ExperimentResults): string {
  const { cells, ...head } = results;
  const lines = cells.map((cell) => `    ${JSON.stringify(cell)}`).join(',\n');
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "cells": [\n${lines}\n  ]\n}\n`;
}

/** The results in a file, if there is one. @throws LabError when it is not a results file. */
export function readResults(file: string): ExperimentResults | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const results = JSON.parse(readFileSync(file, 'utf8')) as ExperimentResults;
    if (results.version === 1 && Array.isArray(results.cells)) return results;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new LabError(`${file} is not a results file: name another with --json, or remove it.`);
}

/**
 * Opens the file for these results: an existing file with the same settings is resumed.
 * @throws LabError when the file holds an experiment with other settings.
 */
export function openResultsFile(file: string, fresh: ExperimentResults): ResultsFile {
  const existing = readResults(file);
  if (existing !== undefined && !isDeepStrictEqual(existing.settings, fresh.settings))
    throw new LabError(
      `${file} holds an experiment with other settings: name another file with --json, or remove it.`,
    );
  const results = existing ?? fresh;
  const write = (): void => {
    writeFileSync(`${file}.new`, formatResults(results));
    renameSync(`${file}.new`, file);
  };
  return {
    results,
    add(cell) {
      const at = results.cells.findIndex((other) => cellKey(other) === cellKey(cell));
      if (at < 0) results.cells.push(cell);
      else results.cells[at] = cell;
      write();
    },
  };
}
