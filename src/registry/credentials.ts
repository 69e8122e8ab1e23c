/** What `docker login` left for a host. `<token>` as user name marks an identity token. */
export interface Credentials {
  readonly username: string
  readonly secret: string
}
