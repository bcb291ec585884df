// The page at `/docs`: Swagger UI shows the OpenAPI documents of the venue that serves it, and asks that venue.
//
// What an example cannot know, a wallet, a token, a signed transaction, stands in it as `$NAME`, as in the curl commands.
// The page keeps these values, learns them from answers, and puts them in when a request leaves.
import { ask } from '../src/api';
import { inOrder } from '../src/asking';
import { Values } from './values';
import { prepared, type Document } from './document';

interface Asked { url: string; method?: string; headers: Record<string, string>; body?: unknown }
interface Answered { url: string; status: number; obj?: unknown }
interface Viewer { preauthorizeApiKey(scheme: string, value: string): void }
declare const SwaggerUIBundle: (options: Record<string, unknown>) => Viewer;

const place = (id: string): HTMLElement => document.getElementById(id)!;
const { apis, sandbox } = await ask<{ apis: string[]; sandbox: boolean }>('GET', '/docs/apis.json');
const values = new Values(place('values'), sandbox);
if (matchMedia('(prefers-color-scheme: dark)').matches) document.documentElement.classList.add('dark-mode');

const documents = inOrder(show);

function show(given: Document): void {
  const { shown, meanings, numbers, headers, tokens } = prepared(given);
  values.show(meanings, numbers);
  const asked = new Map<string, Asked>(); // By URL: one may be sent while another is under way.
  const own = document.createElement('div'); // The viewer of before is not drawn over it any more.
  own.id = 'api';
  place('viewer').replaceChildren(own);
  const viewer = SwaggerUIBundle({
    dom_id: '#api',
    spec: shown,
    tryItOutEnabled: true,
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
    requestInterceptor: (request: Asked) => {
      values.begin();
      request.url = values.inUrl(request.url);
      asked.set(new URL(request.url, location.href).href, request);
      const token = Object.keys(request.headers).find((each) => each.toLowerCase() === 'authorization');
      if (token) request.headers[token] = values.inText(headers[request.headers[token]!] ?? request.headers[token]!);
      if (typeof request.body === 'string') request.body = values.inJson(request.body);
      return request;
    },
    responseInterceptor: async (answer: Answered) => {
      const at = new URL(answer.url, location.href);
      const { method, body } = asked.get(at.href) ?? {};
      if (answer.status === 200) await values.learn(method ?? 'GET', at.pathname, body, answer.obj);
      return answer;
    },
  });
  for (const [scheme, variable] of Object.entries(tokens)) viewer.preauthorizeApiKey(scheme, variable);
}

let chosen: string | undefined;
function choose(): void {
  const wanted = location.hash.slice(1);
  const name = apis.includes(wanted) ? wanted : apis[0]!;
  if (name === chosen) return;
  chosen = name;
  for (const link of place('apis').querySelectorAll('a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  void documents.from(() => ask<Document>('GET', `/openapi/${name}.json`));
}

for (const name of apis) {
  const link = document.createElement('a');
  link.href = `#${name}`;
  link.textContent = name;
  place('apis').append(link);
}
addEventListener('hashchange', choose);
choose();
