import { resolve } from 'node:path'
import type { BuiltImage } from '../build/built.js'
import { copyLayout } from '../build/prebuilt.js'
import type { RunContext } from '../github/context.js'
import type { Given } from './road.js'

/** Stage 5, first half: brings the image into the private folder as an OCI layout. */
export async function buildSubject(given: Given, context: RunContext): Promise<BuiltImage> {
  const { request, services } = given
  if (request.subject.kind === 'oci-layout') {
    return await copyLayout(resolve(context.workspace, request.subject.dir), services.workDir)
  }
  throw new Error('docker engine comes next')
}
