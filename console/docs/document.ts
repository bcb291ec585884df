// An OpenAPI document as the viewer is to show it: its variables as `$NAME`.

type Json = { [name: string]: any };
export type Document = Json;

interface Prepared {
  shown: Document;
  /** Of each variable. */
  meanings: Record<string, string>;
  /** The variables that are numbers in JSON. */
  numbers: Set<string>;
  /** By the header that the viewer makes, `Bearer $NAME`, the one that the API wants. */
  headers: Record<string, string>;
  /** By the name of a security scheme, its variable. */
  tokens: Record<string, string>;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function prepared(document: Document): Prepared {
  const shown = structuredClone(document);
  const numbers = new Set<string>();
  for (const item of Object.values<Json>(shown['paths'])) {
    for (const method of METHODS) if (item[method]) operation(item[method], numbers);
  }
  const headers: Record<string, string> = {};
  const tokens: Record<string, string> = {};
  for (const [name, scheme] of Object.entries<Json>(shown['components'].securitySchemes ?? {})) {
    const variable = /\$\w+/.exec(scheme['x-header'])![0];
    headers[`Bearer ${variable}`] = scheme['x-header'];
    tokens[name] = variable;
  }
  return { shown, meanings: shown['x-variables'] ?? {}, numbers, headers, tokens };
}

function operation(described: Json, numbers: Set<string>): void {
  for (const parameter of described['parameters'] ?? []) {
    if (!parameter['x-variable']) continue;
    parameter.schema = { type: 'string' };
    parameter.example = `$${parameter['x-variable']}`;
  }
  const content = described['requestBody']?.content['application/json'];
  const examples: Json[] = content?.examples ? Object.values<Json>(content.examples).map((each) => each['value']) : [content?.example];
  for (const [pointer, name] of Object.entries<string>(content?.['x-variables'] ?? {})) {
    const steps = pointer.split('/').slice(1);
    const last = steps.pop()!;
    for (const example of examples) {
      const holder = steps.reduce((node, step) => node[step], example);
      if (typeof holder[last] === 'number') numbers.add(name);
      holder[last] = `$${name}`;
    }
  }
}
