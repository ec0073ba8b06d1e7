/* json_keeps.c - the reward json_schema: 1 when the completion is JSON that keeps to a JSON Schema.
 *
 * The schema is the setting `schema`, or the row's: a map in its column, or the text of one. What of draft 2020-12 is known:
 * json_schema.h; a word that is not known is refused, when the reward is made or as an error of that sample. JSON that does
 * not keep to it leaves the word it breaks in the note "schema"; what is no JSON at all scores 0 with the note "not JSON".
 * The host's strict parser decides what JSON is. Source: JSON Schema draft 2020-12, core and validation. */
#include "json_schema.h"

typedef struct keeps {
    reward base;
    hone_ref json;
    uint32_t where, on_missing;
    hone_str column;
    const hone_value *schema; /* NULL: the row's */
    json_schema checked;
} keeps;

enum { F_SCHEMA, F_COLUMN, F_ON_MISSING, F_WHERE };
static const hone_field *const fields[] = {
    HONE_ANY("schema", 0, "JSON Schema that the completion must keep to"),
    HONE_STR("schema_column", "schema", 0, "without it: data column with the row's own"),
    FIELD_ON_MISSING, FIELD_FIND, NULL};

static void compare(const scoring *s, const json_schema *schema, verdict *v)
{
    const keeps *k = (const keeps *)s->self;
    const hone_json_v1 *vt = k->json.vt;
    const hone_str text = json_found(s->sample->completion, k->where);
    const hone_value *value;
    void *doc;
    const hone_status st = text.ptr ? vt->parse(k->json.self, text, &doc, &value) : HONE_E_INVALID;
    score_is(v, 0);
    if (st == HONE_E_NOMEM)
        error_is(v, "out of memory");
    else if (st < 0)
        note_text(s, "schema", hone_str_c("not JSON"));
    if (st < 0)
        return;
    const int held = schema_holds(schema, value, v->text, sizeof v->text);
    if (held < 0)
        error_is(v, v->text);
    else if (held)
        score_is(v, 1);
    else
        note_text(s, "schema", hone_str_c(v->text));
    vt->release(k->json.self, doc);
}

/* With the schema of the row. */
static void compare_row(const scoring *s, verdict *v)
{
    const keeps *k = (const keeps *)s->self;
    const hone_json_v1 *vt = k->json.vt;
    const hone_value *schema = reference_of(s, k->column, k->on_missing, v);
    void *doc = NULL;
    json_schema checked = {0};
    if (!schema)
        return;
    if (schema->type == HONE_STRING && vt->parse(k->json.self, schema->u.str, &doc, &schema) < 0) {
        error_is(v, "the schema of the row is no JSON");
        return;
    }
    if (schema_open(k->base.host, k->base.mem, schema, &checked) < 0)
        error_is(v, "the row's schema is not one that is known here");
    else
        compare(s, &checked, v);
    schema_close(&checked);
    if (doc)
        vt->release(k->json.self, doc);
}

static void keeps_score(const scoring *s, verdict *v)
{
    const keeps *k = (const keeps *)s->self;
    if (k->schema)
        compare(s, &k->checked, v);
    else
        compare_row(s, v);
}

static void keeps_release(reward *self)
{
    schema_close(&((keeps *)self)->checked);
}

static hone_status keeps_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    hone_status s = reward_create(host, sizeof(keeps), keeps_score, &base);
    if (s < 0)
        return s;
    keeps *k = (keeps *)base;
    k->where = (uint32_t)cfg->i64(cfg, F_WHERE);
    k->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    k->column = cfg->str(cfg, F_COLUMN);
    s = host->get_iface(host, HONE_IFACE_JSON, &k->json);
    if (s >= 0 && cfg->value(cfg, F_SCHEMA)) {
        s = schema_open(host, base->mem, cfg->value(cfg, F_SCHEMA), &k->checked);
        if (s >= 0) {
            k->schema = cfg->value(cfg, F_SCHEMA);
            base->release = keeps_release;
        }
    }
    if (s < 0) {
        reward_destroy(k);
        return s;
    }
    *self_out = k;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, HONE_IFACE_REGEX, NULL};
static const char *const wants[] = {"completion", "columns", NULL};
const hone_component json_schema_component = {
    REWARD_HEAD("json_schema", "1 when the completion keeps to a JSON Schema"), .fields = fields,
    .needs = needs, .wants = wants, .create = keeps_create};
