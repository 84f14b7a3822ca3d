/** @file An audit as one page. */

import type { AuditReport } from "./schema.ts";

export const auditPage = (report: AuditReport): string => `<!doctype html><title>${report.model}</title>`;
