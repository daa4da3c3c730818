#!/usr/bin/env node
import { Command } from 'commander';
import { addAnalyzeCommand } from './analyze.ts';
import { addTdmaCommand } from './tdma.ts';

const program = new Command('shoal').description('Shoal: a service as a dataflow of small components');
addAnalyzeCommand(program);
addTdmaCommand(program);
await program.parseAsync();
