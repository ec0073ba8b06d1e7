/* think_format.c - 1 when the completion thinks between tags and then goes on, else 0.
 *
 * It begins with <think>, has no second <think>, and a </think> follows: what TRL's think_format_reward asks for. With
 * opened = "prompt" the chat template has written the opening tag, and the completion has none; "either" takes both. With
 * `filled` there must be something between the tags and something behind the first closing one, and only one of that: the
 * form of DeepSeek-R1's format reward without its <answer> (which is format's preset think_answer). What is inside is not
 * looked at. Sources: TRL, rewards/format_rewards; DeepSeek-AI 2025, "DeepSeek-R1", section 2.2.2. */
#include "rewards.h"

typedef struct think {
    reward base;
    uint32_t opened;
    int filled;
    hone_str open, close;
} think;

enum { BY_COMPLETION, BY_PROMPT, BY_EITHER };
enum { F_OPENED, F_FILLED, F_OPEN, F_CLOSE };
static const hone_field *const fields[] = {
    HONE_ENUM("opened", "completion", "completion|prompt|either", 0,
              "who writes the opening tag: the model, or the chat template at the prompt's end"),
    HONE_FLAG("filled", 0, 0, "thought and answer must not be blank, one closing tag only"),
    HONE_STR("open", "<think>", 0, "the opening tag"),
    HONE_STR("close", "</think>", 0, "the closing tag"), NULL};

static int holds(const think *t, hone_str s)
{
    const int opens = s.len >= t->open.len && memcmp(s.ptr, t->open.ptr, t->open.len) == 0;
    const size_t from = opens ? t->open.len : 0, end = find(s, t->close, from);
    if (opens ? t->opened == BY_PROMPT : t->opened == BY_COMPLETION)
        return 0;
    if (end == SIZE_MAX || find(s, t->open, from) != SIZE_MAX)
        return 0;
    return !t->filled ||
           (trim(part(s, from, end)).len > 0 && trim(part(s, end + t->close.len, s.len)).len > 0 &&
            find(s, t->close, end + 1) == SIZE_MAX);
}

static void think_score(const scoring *s, verdict *v)
{
    const think *t = (const think *)s->self;
    score_is(v, s->sample->completion.len && holds(t, s->sample->completion));
}

static hone_status think_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_str open = cfg->str(cfg, F_OPEN), close = cfg->str(cfg, F_CLOSE);
    if (!open.len || !close.len)
        return hone_host_fail(host, HONE_E_INVALID, "think_format: a tag is empty");
    const hone_status s = reward_create(host, sizeof(think), think_score, &base);
    if (s < 0)
        return s;
    think *t = (think *)base;
    t->opened = (uint32_t)cfg->i64(cfg, F_OPENED);
    t->filled = (int)cfg->i64(cfg, F_FILLED);
    t->open = open;
    t->close = close;
    *self_out = t;
    return HONE_OK;
}

static const char *const wants[] = {"completion", NULL};
const hone_component think_format_component = {
    REWARD_HEAD("think_format", "1 when the completion thinks between tags, then answers"),
    .fields = fields, .needs = reward_needs, .wants = wants, .create = think_create};
