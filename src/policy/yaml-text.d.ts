/** Profiles are imported as text, by esbuild's text loader and by the transform of the tests. */
declare module '*.yaml' {
  const text: string
  export default text
}
