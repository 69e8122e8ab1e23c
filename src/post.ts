import { removeLeftovers } from './commands/leftovers.js'
import { assumeTheWorst } from './commands/worst.js'

assumeTheWorst(text => process.stderr.write(text))
removeLeftovers().then(
  () => process.exit(0),
  (thrown: unknown) => {
    process.stderr.write(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}\n`)
    process.exit(3)
  },
)
