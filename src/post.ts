import { removeLeftovers } from './commands/action.js'
import { assumeTheWorst } from './commands/session.js'

assumeTheWorst(text => process.stderr.write(text))
removeLeftovers().then(
  () => process.exit(0),
  (thrown: unknown) => {
    process.stderr.write(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}\n`)
    process.exit(3)
  },
)
