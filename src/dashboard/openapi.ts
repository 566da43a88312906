/** The API as OpenAPI 3.1: docs/openapi.json, and what /api/openapi.json answers. */
import { apiError, schemas } from './contract.ts'
import { operations, type Operation } from './operations.ts'
import type { ObjectShape } from './shape.ts'

const security = [{}, { token: [] }, { cookie: [] }]

/** In every change: no form can send it. */
const yodelHeader = {
  name: 'X-Yodel',
  in: 'header',
  required: true,
  schema: { const: '1' },
  description: 'With every change: no form can send it.',
}

const jsonOf = (schema: object) => ({ 'application/json': { schema } })

export function openapi(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [key, operation] of Object.entries<Operation>(operations)) {
    const [method, path] = key.split(' ') as [string, string]
    const place = path.replace(':id', '{id}')
    ;(paths[place] ??= {})[method.toLowerCase()] = describe(method, place, operation)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'The dashboard of yodel',
      version: '1',
      description:
        'See docs/control.md. If there is a token, every request needs it, except /healthz and ' +
        '/readyz (which also accept any host name) and, with --metrics-open, /metrics. These ' +
        'three can have an address of their own: --health.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://127.0.0.1:7070' }],
    security,
    paths,
    components: {
      schemas: Object.fromEntries(schemas.map(({ name, definition }) => [name, definition])),
      responses: {
        Error: {
          description: 'It was refused, or cannot be done.',
          content: jsonOf(apiError.json),
        },
      },
      parameters: { Yodel: yodelHeader },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'yodel-7070',
          description: 'Set by /?token=TOKEN; the number is the port.',
        },
      },
    },
  }
}

function describe(method: string, path: string, operation: Operation): object {
  const { summary, query, body, besides, isOpen } = operation
  const parameters = [
    ...(path.includes('{id}')
      ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }]
      : []),
    ...(method === 'GET' ? [] : [{ $ref: '#/components/parameters/Yodel' }]),
    ...(query ? parametersOf(query) : []),
  ]
  return {
    summary,
    ...(isOpen && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: jsonOf(body.json) } }),
    responses: {
      ...answersOf(operation),
      ...(besides && { [besides[0]]: { description: besides[1] } }),
      default: { $ref: '#/components/responses/Error' },
    },
  }
}

function answersOf({ status = 200, says = 'Done.', answer, type }: Operation) {
  const content = {
    ...(type !== undefined && { [type]: { schema: { type: 'string' } } }),
    ...(answer && jsonOf(answer.json)),
  }
  const isEmpty = Object.keys(content).length === 0
  return { [status]: { description: says, ...(!isEmpty && { content }) } }
}

const parametersOf = ({ fields }: ObjectShape) =>
  Object.entries(fields).map(([name, { json, isOptional }]) => {
    const { description, ...schema } = json
    return {
      name,
      in: 'query',
      required: !isOptional,
      schema,
      ...(description !== undefined && { description }),
    }
  })
