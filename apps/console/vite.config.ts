import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** Where `npm run dev` finds a gateway: the real one, or e2e/console/mock-gateway.ts. */
const gateway = process.env['GANTRY_URL'] ?? 'http://127.0.0.1:8300'
const proxied = ['/api', '/apis', '/auth', '/clusters', '/platform']

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/console/',
  plugins: [react(), tailwindcss()],
  resolve: {
    alias: {
      // Radix locks the page's scrolling with it, by an inline style sheet that a strict Content Security Policy refuses. Our page never scrolls as a whole.
      'react-remove-scroll': '@gantry/console-kit/no-scroll-lock',
    },
  },
  build: { target: 'es2023', outDir: 'dist', emptyOutDir: true, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 700 },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: gateway, secure: false }])),
  },
})
