// The settings of the proof of the log: where its high-water mark and its checkpoints are kept.
import { dirname, join } from 'node:path'
import Type, { type Static, type TSchema } from 'typebox'
import { Secret } from './secret.ts'

interface Kinds<Url extends TSchema> {
  url(protocols: readonly string[], example: string): Url
  range(minimum: number, maximum: number): object
}

/** The part of the schema of settings that is about the proof. */
export function auditSchema<Url extends TSchema>({ url, range }: Kinds<Url>) {
  return {
    AUDIT_DIR: Type.Optional(
      Type.String({ description: 'a directory that the database cannot reach' }),
    ),
    AUDIT_PUBLISH_SECONDS: Type.Integer({ ...range(1, 604_800), default: 3_600 }),
    AUDIT_WEBHOOK_URL: Type.Optional(url(['https:', 'http:'], 'https://auditor.example.com/seals')),
    AUDIT_WEBHOOK_SECRET: Type.Optional(
      Type.String({
        pattern: '^whsec_[\\w+/=]{24,250}$',
        description: 'whsec_ and at least 24 characters of base64',
      }),
    ),
    AUDIT_MAIL_TO: Type.Optional(
      Type.String({
        pattern: '^[^\\s@,]+@[^\\s@,]+$',
        maxLength: 254,
        description: 'an address such as auditor@example.com',
      }),
    ),
    AUDIT_BUCKET_URL: Type.Optional(
      url(['https:', 'http:'], 'https://s3.eu-west-2.amazonaws.com/bucket/prefix'),
    ),
    AUDIT_BUCKET_REGION: Type.String({
      default: 'us-east-1',
      pattern: '^[a-z0-9-]{1,60}$',
      description: 'a region such as eu-west-2',
    }),
    AUDIT_BUCKET_KEY_ID: Type.Optional(
      Type.String({ pattern: '^\\S{3,200}$', description: 'the id of an access key' }),
    ),
    AUDIT_BUCKET_SECRET_KEY: Type.Optional(
      Type.String({ pattern: '^\\S{3,200}$', description: 'the secret of that access key' }),
    ),
    AUDIT_TSA_URL: Type.Optional(url(['https:', 'http:'], 'https://timestamp.example.com/tsr')),
  }
}

/** Settings that are missing although another one needs them. */
export const neededByAudit: Readonly<Record<string, string>> = {
  AUDIT_WEBHOOK_SECRET: 'AUDIT_WEBHOOK_URL',
  AUDIT_BUCKET_KEY_ID: 'AUDIT_BUCKET_URL',
  AUDIT_BUCKET_SECRET_KEY: 'AUDIT_BUCKET_URL',
}

type Values = Static<ReturnType<typeof objectOf>>
const objectOf = () => Type.Object(auditSchema({ url: () => Type.String(), range: () => ({}) }))

export type AuditSettings = ReturnType<typeof auditOf>

/** The settings as the shop uses them. */
export function auditOf(values: Values & { FILES_DIR: string }) {
  const {
    AUDIT_WEBHOOK_URL: webhookUrl,
    AUDIT_BUCKET_URL: s3Url,
    AUDIT_BUCKET_KEY_ID: accessKeyId = '',
  } = values
  return Object.freeze({
    directory: values.AUDIT_DIR ?? join(dirname(values.FILES_DIR), 'audit'),
    publishSeconds: values.AUDIT_PUBLISH_SECONDS,
    mailTo: values.AUDIT_MAIL_TO,
    tsaUrl: values.AUDIT_TSA_URL,
    webhook:
      webhookUrl === undefined
        ? undefined
        : { url: webhookUrl, secret: new Secret(values.AUDIT_WEBHOOK_SECRET ?? '') },
    s3:
      s3Url === undefined
        ? undefined
        : {
            url: s3Url.replace(/\/+$/, ''),
            region: values.AUDIT_BUCKET_REGION,
            accessKeyId,
            secretAccessKey: new Secret(values.AUDIT_BUCKET_SECRET_KEY ?? ''),
          },
  })
}
