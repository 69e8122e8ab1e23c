// Imports a file as its text, as the bundle does (toolchain/bundle.mjs, loader `text`).
module.exports = {
  process: text => ({ code: `export default ${JSON.stringify(text)}` }),
  processAsync: async text => ({ code: `export default ${JSON.stringify(text)}` }),
}
