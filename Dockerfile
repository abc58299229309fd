# Rivulet in a container. Redis is another one: see compose.yaml.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src src
COPY test test
COPY bench bench
RUN node src/setup/cli.mjs build && npm prune --omit=dev

FROM node:20-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY package.json ./
COPY models models
# The demo store's page is served from its sources.
COPY src/demo/page src/demo/page
# The event archive; mount a volume here to keep it.
RUN mkdir .data && chown node:node .data
VOLUME /app/.data
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Requests in flight are answered before it ends: give it 30 s (compose.yaml does).
STOPSIGNAL SIGTERM
CMD ["node", "--enable-source-maps", "--max-semi-space-size=64", "dist/src/main.js"]
