export { isName, nameMaxCharacters, suggest } from './names.ts';
export type { PlaceOfPath } from './place-of-path.ts';
export {
  type DeploymentParts,
  isApp,
  requireValid,
  type ValidateOptions,
  validate,
  validateParts,
} from './validate.ts';
export type { DeploymentSettings } from './validate-settings.ts';
