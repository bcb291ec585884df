// The names of what is built are fixed and hold no hash: the venue serves each with an ETag, and a diff shows what changed.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/console/',
  build: {
    outDir: '../src/countermand/console/built',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // The content security policy lets nothing in that is inline.
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: 'console.js',
        chunkFileNames: '[name].js',
        assetFileNames: (asset) => (asset.names[0]?.endsWith('.css') ? 'console.css' : '[name][extname]'),
      },
    },
  },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  server: { proxy: { '/sandbox': 'http://127.0.0.1:8080', '/trigger': 'http://127.0.0.1:8080', '/rpc': 'http://127.0.0.1:8080' } },
});
