import { type App, ShoalError } from '../model/index.ts';
import { enableTypeScript } from './typescript.ts';

/** Imports an app module and checks that its default export is an app. Throws `SHOAL_APP_LOAD`. */
export async function loadApp(url: string): Promise<App> {
  const [name] = url.split('?');
  let module: { default?: unknown };
  try {
    enableTypeScript(url);
    module = (await import(url)) as { default?: unknown };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new ShoalError(
      'SHOAL_APP_LOAD',
      `The app module ${name} could not be loaded: ${text}`,
      { url },
      error,
    );
  }
  const app = module.default as Partial<App> | undefined;
  if (typeof app?.name !== 'string' || !Array.isArray(app.msus) || !Array.isArray(app.edges)) {
    throw new ShoalError(
      'SHOAL_APP_LOAD',
      `The app module ${name} has no app as its default export: write \`export default defineApp({ … })\`.`,
      { url },
    );
  }
  return app as App;
}
