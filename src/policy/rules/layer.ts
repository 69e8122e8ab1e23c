import { defineRule } from '../rule.js'
import type { CheckResult } from '../rule.js'

export const layerWellformed = defineRule({
  id: 'layer.wellformed',
  title: 'Every layer reads alike for everybody',
  why: 'An archive that readers take differently shows one file to the scanner and another to the engine that runs it.',
  fix: 'Build the layer again with a sound tool; the message names the layer and what is wrong with it.',
  severity: 'high',
  phase: 'image',
  needs: ['contents'],
  controls: ['NIST SP 800-218 1.1 PS.2.1', 'NIST CSF 2.0 PR.DS-01', 'OWASP CI/CD Top 10 2022 CICD-SEC-9'],
  check(given): CheckResult {
    // The layer pass refuses the first layer that is not: then there are no contents, and the rule is unknown.
    const layers = given.platforms.reduce((sum, one) => sum + one.contents.layers.length, 0)
    return layers === 0 ? { notApplicable: 'the image has no layers' } : { checked: layers, violations: [] }
  },
})
