// Writes packages/shoal/schema/deployment.schema.json from the schema that `shoal` itself reads deployment
// files with. Run after `npm run build`; a test fails when the file is not current.
import { writeFileSync } from 'node:fs';
import { deploymentJsonSchema } from '../packages/shoal/dist/cli/deployment-schema.js';

writeFileSync(
  new URL('../packages/shoal/schema/deployment.schema.json', import.meta.url),
  deploymentJsonSchema(),
);
