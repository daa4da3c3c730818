/** Loaded with `--import` where Node does not strip types itself. */
import { register } from 'node:module';

register(new URL('./typescript-hook.js', import.meta.url));
