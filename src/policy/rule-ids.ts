/** Every rule there is, in the order of the reports. */
export const RULE_IDS = [
  'vulnerability.severity',
  'vulnerability.kev',
  'secret.found',
  'sbom.present',
  'sbom.subject',
  'scanner.canary',
  'database.age',
  'tool.verified',
  'layer.wellformed',
  'inventory.os',
  'inventory.links',
  'inventory.hidden',
  'sign.present',
  'image.pin',
  'base.onbuild',
  'user.nonroot',
  'label.required',
  'inventory.union',
  'inventory.unexplained',
  'sbom.minimum',
] as const
export type RuleId = (typeof RULE_IDS)[number]
