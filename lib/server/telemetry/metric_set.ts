/**
 * A set of metrics, and how it is put into words for Prometheus, which is prom-client's part. The
 * figures themselves are plain numbers kept by whoever counts, so that counting costs nanoseconds;
 * they are collected when somebody asks.
 */

import {
  Counter,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from "prom-client";
import { KvError } from "../../mod.ts";
import type { Distribution } from "./distribution.ts";

/** The values of a metric's labels. */
export type Labels = Record<string, string>;

/** One figure of a metric. */
export interface Sample {
  labels?: Labels;
  value: number;
}

/** One histogram of a metric. */
export interface DistributionSample {
  labels?: Labels;
  distribution: Pick<Distribution, "bounds" | "counts" | "sum">;
}

/** The figures of some metrics, by their names: what one thread tells another. */
export type MetricFigures = Record<string, (Sample | DistributionSample)[]>;

interface Described {
  /** Name without a prefix of the registry's; counters end in `_total`. */
  name: string;
  /** One sentence without the full stop. */
  help: string;
  labelNames?: readonly string[];
}

/** A metric: what it is called, and where its figures come from. */
export type Metric =
  & Described
  & (
    | { type: "counter" | "gauge"; collect: () => Iterable<Sample> }
    | { type: "histogram"; collect: () => Iterable<DistributionSample> }
  );

/** The two forms of text that Prometheus reads. */
export type ExpositionFormat = "prometheus" | "openmetrics";

type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;

/** Metrics that are scraped together. */
export class MetricSet {
  #metrics: Metric[] = [];
  #askOthers: (() => Promise<readonly MetricFigures[]>) | undefined;
  /** What they said last. */
  #others: readonly MetricFigures[] = [];
  /** One for each format, because OpenMetrics gives counters another name. */
  #registries = new Map<ExpositionFormat, AnyRegistry>();

  /** Adds metrics; `InvalidArgument` if one of the name is there already. */
  add(...metrics: Metric[]): void {
    const taken = metrics.find(({ name }) => this.#metrics.some((each) => each.name === name));
    if (taken !== undefined) {
      throw new KvError(
        "InvalidArgument",
        `There is a metric ${taken.name} already: give each application a Telemetry of its own`,
      );
    }
    this.#metrics.push(...metrics);
    this.#registries.clear();
  }

  /** The metrics, in the order in which they were added. */
  get metrics(): readonly Metric[] {
    return this.#metrics;
  }

  /** The media type of a format. */
  contentType(format: ExpositionFormat): string {
    return this.#registry(format).contentType;
  }

  /** Adds to the figures what others have counted, as they tell it whenever somebody asks. */
  include(others: () => Promise<readonly MetricFigures[]>): void {
    this.#askOthers = others;
  }

  /** The figures of those metrics whose names match, for {@link include} on another thread. */
  figures(names: RegExp): MetricFigures {
    const figures: MetricFigures = {};
    for (const metric of this.#metrics) {
      if (!names.test(metric.name)) continue;
      figures[metric.name] = metric.type === "histogram"
        ? [...metric.collect()].map(({ labels = {}, distribution: { bounds, counts, sum } }) => ({
          labels,
          distribution: { bounds, counts, sum },
        }))
        : [...metric.collect()];
    }
    return figures;
  }

  /** All figures as of now. */
  async render(format: ExpositionFormat): Promise<string> {
    this.#others = await this.#askOthers?.() ?? [];
    return await this.#registry(format).metrics();
  }

  #registry(format: ExpositionFormat): AnyRegistry {
    let registry = this.#registries.get(format);
    if (registry === undefined) {
      registry = emptyRegistry(format);
      for (const metric of this.#metrics) register(registry, this.#withOthers(metric));
      this.#registries.set(format, registry);
    }
    return registry;
  }

  #withOthers(metric: Metric): Metric {
    const others = () => this.#others.flatMap((figures) => figures[metric.name] ?? []);
    if (metric.type === "histogram") {
      const collect = () => addedUp([...metric.collect(), ...others() as DistributionSample[]]);
      return { ...metric, collect };
    }
    return { ...metric, collect: () => [...metric.collect(), ...others() as Sample[]] };
  }
}

/** One sample for all that have the same labels. */
function addedUp(samples: readonly DistributionSample[]): DistributionSample[] {
  const sums = new Map<string, DistributionSample>();
  for (const { labels = {}, distribution } of samples) {
    const name = JSON.stringify(labels);
    const sum = sums.get(name)?.distribution;
    if (sum === undefined) {
      const { bounds, counts, sum } = distribution;
      sums.set(name, { labels, distribution: { bounds, counts: counts.slice(), sum } });
    } else {
      distribution.counts.forEach((count, index) => sum.counts[index]! += count);
      sum.sum += distribution.sum;
    }
  }
  return [...sums.values()];
}

function emptyRegistry(format: ExpositionFormat): AnyRegistry {
  if (format === "prometheus") return new Registry();
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

function register(registry: AnyRegistry, metric: Metric): void {
  const { name, help, labelNames = [] } = metric;
  const common = { name, help, labelNames, registers: [registry] };
  if (metric.type === "histogram") {
    new CollectedHistogram(common, metric.collect);
  } else if (metric.type === "counter") {
    new Counter({
      ...common,
      collect() {
        this.reset();
        if (labelNames.length === 0) this.remove(); // else it is 0 where there is no sample
        for (const { labels, value } of metric.collect()) this.inc(labels ?? {}, value);
      },
    });
  } else {
    new Gauge({
      ...common,
      collect() {
        this.reset();
        if (labelNames.length === 0) this.remove();
        for (const { labels, value } of metric.collect()) this.inc(labels ?? {}, value);
      },
    });
  }
}

/** What prom-client asks a metric for. */
type Collected = Awaited<ReturnType<Histogram["get"]>>;

/** A histogram whose buckets are counted elsewhere. */
class CollectedHistogram extends Histogram {
  #described: { name: string; help: string };
  #collect: () => Iterable<DistributionSample>;

  constructor(
    config: ConstructorParameters<typeof Histogram>[0],
    collect: () => Iterable<DistributionSample>,
  ) {
    super(config);
    this.#described = config;
    this.#collect = collect;
  }

  override get(): Promise<Collected> {
    const { name, help } = this.#described;
    const values = [...this.#collect()].flatMap((sample) => seriesOf(name, sample));
    return Promise.resolve({ name, help, type: "histogram", values } as unknown as Collected);
  }

  /** The way that prom-client prefers, if there is one. */
  getForPromString(): Promise<Collected> {
    return this.get();
  }
}

/** One line of a histogram. */
interface NamedSample extends Sample {
  metricName: string;
}

function seriesOf(name: string, { labels = {}, distribution }: DistributionSample): NamedSample[] {
  const { bounds, counts, sum } = distribution;
  let count = 0;
  const buckets = Array.from(counts, (each, index) => {
    count += each;
    const le = index < bounds.length ? String(bounds[index]) : "+Inf";
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
