import { runAction } from './commands/action.js'
import { assumeTheWorst, inertLines } from './commands/worst.js'

assumeTheWorst(text => process.stderr.write(text))
runAction(process.env).then(
  code => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(inertLines(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}`))
    process.exit(3)
  },
)
