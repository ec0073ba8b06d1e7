/* endpoint_request.c - a question as the body of a chat completion, and the most that it can take.
 *
 * A token is at least one byte of a text, so the bytes of the messages, some for each message's template, and those of a
 * schema that a server may put in front are a bound on the tokens read; max_tokens is one on those written. A bound that was an estimate
 * would not be one. */
#include "endpoint_private.h"

enum { PER_MESSAGE = 16, PER_REQUEST = 64 };

void endpoint_request(const endpoint *e, const endpoint_question *q, uint32_t takes, grown *body,
                      budget_worst *worst)
{
    const int labels = q->n_labels != 0;
    const uint32_t max_tokens = labels ? ENDPOINT_LABEL_TOKENS : q->max_tokens;
    worst->tokens_in = PER_REQUEST;
    worst->tokens_out = max_tokens;
    grown_z(body, "{\"model\":");
    grown_json(body, e->model);
    grown_z(body, ",\"messages\":[");
    for (size_t i = 0; i < q->n_messages; i++) {
        const hone_message *m = &q->messages[i];
        grown_z(body, i ? ",{\"role\":" : "{\"role\":");
        grown_json(body, m->role);
        grown_z(body, ",\"content\":");
        grown_json(body, m->content);
        grown_z(body, "}");
        worst->tokens_in += m->role.len + m->content.len + PER_MESSAGE;
    }
    grown_z(body, "],\"temperature\":");
    grown_f64(body, q->temperature);
    grown_z(body, takes & ENDPOINT_MAX_TOKENS ? ",\"max_tokens\":" : ",\"max_completion_tokens\":");
    grown_u64(body, max_tokens);
    if (takes & ENDPOINT_SEED) {
        grown_z(body, ",\"seed\":");
        grown_u64(body, q->seed & 0x7fffffff); /* what every server reads as a whole number */
    }
    if (labels && (takes & ENDPOINT_LOGPROBS)) {
        grown_z(body, ",\"logprobs\":true,\"top_logprobs\":");
        grown_u64(body, ENDPOINT_TOP);
    }
    if (!labels && q->schema.len && (takes & ENDPOINT_SCHEMA)) {
        grown_z(
            body,
            ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"verdict\","
            "\"strict\":true,\"schema\":");
        grown_add(body, q->schema.ptr, q->schema.len);
        grown_z(body, "}}");
        worst->tokens_in += q->schema.len;
    }
    for (size_t i = 0; e->extra && i < e->extra->u.map.n; i++) {
        grown_z(body, ",");
        grown_json(body, e->extra->u.map.pairs[i].key);
        grown_z(body, ":");
        grown_value(body, &e->extra->u.map.pairs[i].value);
    }
    grown_z(body, "}");
}
