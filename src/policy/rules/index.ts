import type { Rule } from '../rule.js'
import type { RuleId } from '../rule-ids.js'
import { RULE_IDS } from '../rule-ids.js'
import { baseOnbuild } from './base.js'
import { imagePin, labelRequired } from './image.js'
import { inventoryUnexplained } from './inventory.js'
import { inventoryHidden } from './inventory-hidden.js'
import { inventoryLinks } from './inventory-links.js'
import { inventoryOs } from './inventory-os.js'
import { inventoryUnion } from './inventory-union.js'
import { vulnerabilityKev } from './kev.js'
import { layerWellformed } from './layer.js'
import { sbomPresent, sbomSubject } from './sbom.js'
import { sbomMinimum } from './sbom-minimum.js'
import { databaseAge, scannerCanary, toolVerified } from './scanner.js'
import { secretFound } from './secret.js'
import { signPresent } from './sign.js'
import { userNonroot } from './user.js'
import { vulnerabilitySeverity } from './vulnerability.js'

const TABLE: Readonly<Record<RuleId, Rule>> = {
  'vulnerability.severity': vulnerabilitySeverity,
  'vulnerability.kev': vulnerabilityKev,
  'secret.found': secretFound,
  'sbom.present': sbomPresent,
  'sbom.subject': sbomSubject,
  'scanner.canary': scannerCanary,
  'database.age': databaseAge,
  'tool.verified': toolVerified,
  'layer.wellformed': layerWellformed,
  'inventory.os': inventoryOs,
  'inventory.links': inventoryLinks,
  'inventory.hidden': inventoryHidden,
  'sign.present': signPresent,
  'image.pin': imagePin,
  'base.onbuild': baseOnbuild,
  'user.nonroot': userNonroot,
  'label.required': labelRequired,
  'inventory.union': inventoryUnion,
  'inventory.unexplained': inventoryUnexplained,
  'sbom.minimum': sbomMinimum,
}

/** Every rule, in the order of the reports. */
export const RULES: readonly Rule[] = RULE_IDS.map(id => TABLE[id])
