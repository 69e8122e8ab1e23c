import { z } from 'zod'
import { rows, shortText } from './tool-json.js'

const layer = z.object({ DiffID: shortText.optional() }).nullish()
const identifier = z.object({ PURL: shortText.optional(), BOMRef: shortText.optional() }).nullish()

/** One row of `Results[].Packages` (Trivy 0.74.0, JSON schema 2). */
export const trivyPackage = z.object({
  ID: shortText.optional(),
  Name: shortText.min(1),
  Version: shortText.optional(),
  Release: shortText.optional(),
  Epoch: z.number().optional(),
  SrcName: shortText.optional(),
  SrcVersion: shortText.optional(),
  SrcRelease: shortText.optional(),
  SrcEpoch: z.number().optional(),
  FilePath: shortText.optional(),
  Identifier: identifier,
  Layer: layer,
})

/** One row of `Results[].Vulnerabilities`. */
export const trivyVulnerability = z.object({
  VulnerabilityID: shortText.min(1),
  VendorIDs: rows(shortText),
  PkgID: shortText.optional(),
  PkgName: shortText.min(1),
  PkgPath: shortText.optional(),
  PkgIdentifier: identifier,
  InstalledVersion: shortText.optional(),
  FixedVersion: shortText.optional(),
  Status: shortText.optional(),
  Severity: shortText.optional(),
  SeveritySource: shortText.optional(),
  Layer: layer,
  Title: z.string().max(65_536).optional(),
  PublishedDate: shortText.optional(),
})

const trivySecret = z.object({
  RuleID: shortText.min(1),
  Category: shortText.optional(),
  Severity: shortText.optional(),
  Title: shortText.optional(),
  StartLine: z.number().int().nonnegative().optional(),
  EndLine: z.number().int().nonnegative().optional(),
  /** Bytes before the match. */
  Offset: z.number().int().nonnegative().optional(),
  /** The line of the match, each byte of which is an asterisk. */
  Match: z.string().max(1_048_576).optional(),
  Layer: layer,
})

const result = z.object({
  Target: shortText,
  Class: shortText.optional(),
  Type: shortText.optional(),
  Packages: rows(trivyPackage),
  Vulnerabilities: rows(trivyVulnerability),
  Secrets: rows(trivySecret),
  ExperimentalModifiedFindings: rows(z.unknown()),
})

/** A whole Trivy report; `Results` may be absent, which means that nothing was recognised. */
export const trivyReport = z.object({
  SchemaVersion: z.literal(2),
  ArtifactName: shortText,
  ArtifactType: shortText,
  Metadata: z
    .object({
      ImageID: shortText.optional(),
      DiffIDs: rows(shortText),
      OS: z.object({ Family: shortText, Name: shortText.optional(), EOSL: z.boolean().optional() }).nullish(),
    })
    .optional(),
  Results: rows(result),
})

export type TrivyReport = z.output<typeof trivyReport>
export type TrivyResult = TrivyReport['Results'][number]
export type TrivyPackage = z.output<typeof trivyPackage>
export type TrivySecret = z.output<typeof trivySecret>
export type TrivyVulnerability = z.output<typeof trivyVulnerability>
