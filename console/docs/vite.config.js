// The page at `/docs`. Swagger UI is not bundled but copied from its package, byte for byte.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vite';

const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const COPIED = {
  'swagger-ui-bundle.js': join(swagger, 'swagger-ui-bundle.js'),
  'swagger-ui-bundle.js.LICENSE.txt': join(swagger, 'swagger-ui-bundle.js.LICENSE.txt'),
  'swagger-ui.css': join(swagger, 'swagger-ui.css'),
  'LICENSE.txt': join(swagger, 'LICENSE'),
  'NOTICE.txt': join(swagger, 'NOTICE'),
  'icon.svg': join(import.meta.dirname, '../public/icon.svg'),
};

const swaggerUi = {
  name: 'swagger-ui',
  generateBundle() {
    for (const [fileName, file] of Object.entries(COPIED)) this.emitFile({ type: 'asset', fileName, source: readFileSync(file) });
  },
  transformIndexHtml: () => [
    { tag: 'link', attrs: { rel: 'icon', href: '/docs/icon.svg', type: 'image/svg+xml' }, injectTo: 'head-prepend' },
    { tag: 'link', attrs: { rel: 'stylesheet', href: '/docs/swagger-ui.css' }, injectTo: 'head-prepend' },
    { tag: 'script', attrs: { src: '/docs/swagger-ui-bundle.js', defer: true }, injectTo: 'head-prepend' },
  ],
};

export default defineConfig({
  base: '/docs/',
  plugins: [swaggerUi],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: 'docs.js',
        assetFileNames: (asset) => (asset.names[0]?.endsWith('.css') ? 'docs.css' : '[name][extname]'),
      },
    },
  },
  esbuild: { legalComments: 'none' },
});
