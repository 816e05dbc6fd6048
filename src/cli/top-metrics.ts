/** `vmscope top --metrics`: the newest look over HTTP, for Prometheus. */
import { createServer, type Server } from 'node:http';
import type { Fleet, FleetLook } from '../engine/fleet.js';
import { CONTENT_TYPES, dialectOf, metricsText } from '../formats/open-metrics.js';

export interface MetricsServer {
  host: string;
  port: number;
  close(): Promise<void>;
}

/**
 * Looks at intervals of its own and serves what it saw last, so that a scrape never waits for a guest.
 * @throws Error (from node:net) when the address cannot be had
 */
export async function serveMetrics(
  fleet: Fleet,
  address: { host: string; port: number },
  intervalMs: number,
): Promise<MetricsServer> {
  let last: FleetLook = await fleet.look();
  let timer: NodeJS.Timeout | undefined;
  const again = (): void => {
    timer = setTimeout(async () => {
      last = await fleet.look().catch((error: Error) => ({ ...last, failures: [error.message] }));
      again();
    }, intervalMs);
  };
  again();
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD' }).end();
    else if (path !== '/metrics')
      response.writeHead(path === '/' ? 200 : 404, { 'content-type': 'text/plain' }).end('vmscope top: see /metrics\n');
    else {
      const dialect = dialectOf(request.headers.accept);
      response.writeHead(200, { 'content-type': CONTENT_TYPES[dialect] }).end(metricsText(last, dialect));
    }
  });
  server.headersTimeout = 5000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  }).catch((error) => {
    clearTimeout(timer);
    throw error;
  });
  const bound = server.address();
  return {
    host: address.host,
    port: typeof bound === 'object' && bound ? bound.port : address.port,
    async close() {
      clearTimeout(timer);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
