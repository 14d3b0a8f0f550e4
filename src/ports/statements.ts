// How the database driver sends compiled statements: what their text does not say.

/** A statement as the query builder compiles it. */
export interface CompiledStatement {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** Without options a statement is planned each time, with its parameters. */
export interface SendOptions {
  /** Planned once a session, for statements whose plan does not depend on the parameters. */
  readonly isPrepared?: true
  /** The rows of a `copy … from stdin`, in its text format. */
  readonly copyIn?: string
  /**
   * Statements that are sent in the place of this one without waiting for each other's answers, and
   * prepared. One that fails makes those after it fail, and of a commit a rollback.
   */
  readonly pipeline?: readonly (CompiledStatement & SendOptions)[]
}
