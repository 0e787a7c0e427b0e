/** The list of everything in the executables, in CycloneDX, for those who look for known defects. */

import { Buffer } from "node:buffer";
import { Contrib, Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import type { ContainedPackage } from "./contents.ts";

/** What the bill says. */
export interface BillOptions {
  version: string;
  commit: string;
  date: Date;
  packages: readonly ContainedPackage[];
  /** Bun's executables that became part of ours. */
  runtimes: readonly { name: string; version: string; integrity: string }[];
}

/** The bill as JSON. The same options give the same text: it has no serial number. */
export function billOfMaterials(options: BillOptions): string {
  const { version, commit, date, packages, runtimes } = options;
  const licences = new Contrib.License.Factories.LicenseFactory();
  const component = (
    type: Enums.ComponentType,
    { name, version, integrity, licence }: Pick<ContainedPackage, "name" | "version"> & {
      integrity: string;
      licence: string;
    },
  ): Models.Component => {
    const [group, base] = name.startsWith("@") ? name.split("/") : [undefined, name];
    const id = `${name}@${version}`;
    return new Models.Component(type, base!, {
      bomRef: id,
      ...(group === undefined ? {} : { group }),
      version,
      purl: new PackageURL("npm", group, base, version),
      licenses: new Models.LicenseRepository([licences.makeFromString(licence)]),
      hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-512"], hexOf(integrity)]]),
    });
  };

  const cairn = new Models.Component(Enums.ComponentType.Application, "cairn", {
    bomRef: `cairn@${version}`,
    version,
    description: "Crash-safe key/value store",
    licenses: new Models.LicenseRepository([licences.makeFromString("MIT")]),
    properties: new Models.PropertyRepository([new Models.Property("cairn:commit", commit)]),
  });
  const libraries = new Map(packages.map((each) => {
    const library = component(Enums.ComponentType.Library, each);
    if (each.description !== "") library.description = each.description;
    if (each.homepage !== undefined) {
      const kind = Enums.ExternalReferenceType.Website;
      library.externalReferences.add(new Models.ExternalReference(each.homepage, kind));
    }
    return [each.name, library];
  }));
  for (const { name, dependencies } of packages) {
    for (const dependency of dependencies) {
      const library = libraries.get(dependency);
      if (library !== undefined) libraries.get(name)!.dependencies.add(library.bomRef);
    }
  }
  const platforms = runtimes.map((each) =>
    component(Enums.ComponentType.Platform, { ...each, licence: "MIT" })
  );
  const all = [...libraries.values(), ...platforms];
  for (const { bomRef } of all) cairn.dependencies.add(bomRef);
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ timestamp: date, component: cairn }),
    components: new Models.ComponentRepository(all),
  });
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  const serializer = new Serialize.JsonSerializer(factory);
  return serializer.serialize(bom, { sortLists: true, space: 2 }) + "\n";
}

/** The hash in a field `integrity`, which is of SHA-512, in hexadecimal. */
function hexOf(integrity: string): string {
  const [algorithm, hash] = integrity.split("-");
  if (algorithm !== "sha512" || hash === undefined) throw new Error(`${integrity} is no SHA-512`);
  return Buffer.from(hash, "base64").toString("hex");
}
