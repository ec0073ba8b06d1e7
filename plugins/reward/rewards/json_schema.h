/* json_schema.h - does a JSON value keep to a JSON Schema?
 *
 * The part of draft 2020-12 that says what a value is: type, enum, const; properties, patternProperties, propertyNames, required,
 * dependentRequired, dependentSchemas, additionalProperties, minProperties, maxProperties; items, prefixItems, contains (with
 * minContains, maxContains), minItems, maxItems, uniqueItems; minLength, maxLength, pattern; minimum, maximum, exclusiveMinimum,
 * exclusiveMaximum, multipleOf; allOf, anyOf, oneOf, not; if, then, else; $ref into the schema itself ("#/$defs/x"). title,
 * description, default, examples, format, readOnly, writeOnly, deprecated, $schema, $id, $comment and $defs say nothing about a
 * value (format is a note, as the draft has it where nothing else is agreed). Any other word is refused when the schema is checked, so that none is silently without effect. A pattern is searched for anywhere, as the
 * specification has it. Work is bounded: steps and depth. */
#ifndef HONE_REWARDS_JSON_SCHEMA_H
#define HONE_REWARDS_JSON_SCHEMA_H
#include "rewards.h"

typedef struct json_schema {
    const hone_value *root; /* the caller's; lives as long as this */
    hone_ref regex, mem;
    struct schema_pattern *patterns;
} json_schema;

/* Checks the schema and compiles its patterns. E_INVALID with the place, on `host`. */
hone_status schema_open(const hone_host *host, hone_ref mem, const hone_value *root,
                        json_schema *out);
void schema_close(json_schema *s); /* all zero is allowed */
/* 1, or 0 with the word of the schema that is broken in `why` (size bytes); -1: it took too many steps, or a pattern did. */
int schema_holds(const json_schema *s, const hone_value *v, char *why, size_t size);
#endif
