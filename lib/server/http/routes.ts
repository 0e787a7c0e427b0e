import type { Route } from "./route.ts";
import { backupRoutes } from "./routes/backup.ts";
import { batchRoutes } from "./routes/batch.ts";
import { changesRoutes } from "./routes/changes.ts";
import { descriptionRoutes } from "./routes/description.ts";
import { healthRoutes } from "./routes/health.ts";
import { keyRoutes } from "./routes/key.ts";
import { listingRoutes } from "./routes/listing.ts";
import { maintenanceRoutes } from "./routes/maintenance.ts";
import { metricsRoutes } from "./routes/metrics.ts";

/** Every route of the service. */
export const ROUTES: readonly Route[] = [
  // Before the keys: the router takes a path that ends behind /v1/kv for one of an empty key.
  ...listingRoutes,
  ...keyRoutes,
  ...batchRoutes,
  ...changesRoutes,
  ...maintenanceRoutes,
  ...backupRoutes,
  ...healthRoutes,
  ...metricsRoutes,
  ...descriptionRoutes,
];
