// Asks for a coverage certificate with the generated types, follows it until it
// is issued and downloads it. The press's address is in SEGELL_DOOR, a token in
// SEGELL_TOKEN. Prints the length of the document in bytes; ends with 1 where
// anything is not as the description says.
//
// api.ts is generated; bodies.ts holds samples, each of the type of its request.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";
import { coverage_certificate_ca as body } from "./bodies.js";

type RequestState = components["schemas"]["RequestState"];

const client = createClient<paths>({
  baseUrl: process.env["SEGELL_DOOR"] ?? "",
  headers: { Authorization: `Bearer ${process.env["SEGELL_TOKEN"] ?? ""}` },
});

// Asks twice with one key, as after an answer that was lost: it is one request.
async function ask(): Promise<string> {
  const params = { header: { "Idempotency-Key": randomUUID() } };
  const first = await client.POST("/v1/documents/coverage_certificate", { params, body });
  assert.equal(first.response.status, 202);
  const again = await client.POST("/v1/documents/coverage_certificate", { params, body });
  assert.ok(first.data && again.data);
  assert.equal(again.data.id, first.data.id);
  return first.data.id;
}

async function follow(id: string): Promise<RequestState> {
  for (let asked = 0; asked < 10; asked++) {
    const { data, error } = await client.GET("/v1/requests/{id}", { params: { path: { id }, header: { Prefer: "wait=20" } } });
    assert.ok(data, error?.title);
    switch (data.state) {
      case "issued":
        return data;
      case "accepted":
      case "rendering":
      case "sealing":
      case "storing":
      case "retrying":
        break;
      default:
        throw new Error(`the request ended as ${data.state}`);
    }
  }
  throw new Error("the request is not issued after 200 s");
}

// The redirect is followed by hand: the token must not go to the store.
async function download(issued: RequestState): Promise<number> {
  const { response } = await client.GET("/v1/requests/{id}/content", { params: { path: { id: issued.id } }, redirect: "manual" });
  assert.equal(response.status, 303);
  const file = await fetch(response.headers.get("Location") ?? "");
  assert.equal(file.status, 200);
  const pdf = Buffer.from(await file.arrayBuffer());
  assert.equal(pdf.subarray(0, 5).toString("latin1"), "%PDF-");
  assert.equal(pdf.length, issued.document?.size);
  assert.equal(createHash("sha256").update(pdf).digest("hex"), issued.document?.sha256);
  return pdf.length;
}

// A request that cannot become a document is refused with a problem that names the field.
async function beRefused(): Promise<void> {
  const { response, error } = await client.POST("/v1/documents/coverage_certificate", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: { ...body, data_as_of: "2200-01-01" },
  });
  assert.equal(response.status, 422);
  assert.equal(error?.errors?.[0]?.pointer, "/data_as_of");
}

const issued = await follow(await ask());
const length = await download(issued);
await beRefused();
console.log(length);
