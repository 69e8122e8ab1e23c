/**
 * The home of this project: verifier id, builder id and build types derive from it. The owner is a
 * placeholder until the project is published; the release workflow refuses to publish with it.
 */
export const PROJECT_URI = 'https://github.com/OWNER/portcullis'
