/* box_cases.h - call-backs of a box whose bytes are spoiled: for tests/unit/test_box_reach.c and fuzz_box_reach.c.
 *
 * The host's side of a box without a process in it: two memories, an instance whose settings and host offer what the calls of
 * wire_cases.h need, and hone__reach_serve. What must hold whatever the box writes: the host reads nothing outside of what it
 * copied, gives no number it has not, answers or says which rule was broken. abort() when it does not. */
#ifndef HONE_TESTS_BOX_CASES_H
#define HONE_TESTS_BOX_CASES_H
#include "wire_cases.h"

#include "host/box_proxy.h"

#include <sys/mman.h>

static hone_status box_none(const hone_host *host, const hone_config *cfg, void **out)
{
    static char it;
    (void)host, (void)cfg;
    *out = &it;
    return HONE_OK;
}
static void box_gone(void *self)
{
    (void)self;
}
static const void *box_offer(void *self, const char *id)
{
    static const hone_judge_v1 judge = {.struct_size = sizeof judge, .judge = case_judge};
    (void)self;
    return strcmp(id, HONE_IFACE_JUDGE) == 0 ? &judge : NULL;
}
static const char *const box_provides[] = {HONE_IFACE_JUDGE, NULL};
static const hone_field *const box_fields[] = {
    HONE_COMPONENT("judge", HONE_IFACE_JUDGE, 0, "a component inside"),
    HONE_F64("number", 0, 0, 1, 0, "no component"), NULL};
static const hone_component box_inner = {.struct_size = sizeof box_inner,
                                         .id = "org.test.judge.inner",
                                         .kind = HONE_KIND_JUDGE,
                                         .version = "1.0.0",
                                         .provides = box_provides,
                                         .create = box_none,
                                         .destroy = box_gone,
                                         .get_iface = box_offer};
static const hone_component box_outer = {.struct_size = sizeof box_outer,
                                         .id = "org.test.judge.outer",
                                         .kind = HONE_KIND_JUDGE,
                                         .version = "1.0.0",
                                         .fields = box_fields,
                                         .provides = box_provides,
                                         .create = box_none,
                                         .destroy = box_gone,
                                         .get_iface = box_offer};

/* What the host offers: real tables around the callees of wire_cases.h, and one thing that cannot travel. */
static const hone_reward_v1 box_reward = {sizeof box_reward, 0, case_score, NULL, NULL};
static const hone_tokenizer_v1 box_tokenizer = {.struct_size = sizeof box_tokenizer,
                                                .encode = case_encode};
static const hone_objective_v1 box_objective = {
    .struct_size = sizeof box_objective, .loss = case_loss, .show = case_show};
static const hone_optimizer_v1 box_optimizer = {.struct_size = sizeof box_optimizer,
                                                .state_spec = case_state_spec};
static hone_status box_live_apply(void *self, const hone_config *cfg)
{
    (void)self, (void)cfg;
    return HONE_OK;
}
static const hone_live_v1 box_live = {sizeof box_live, 0, box_live_apply};

typedef struct box_host {
    hone_registry *reg;
    hone_instance *inst;
    hone__proxy p;
    hone__box b;
} box_host;

static hone__box_done *box_done(box_host *h)
{
    return (hone__box_done *)(void *)h->b.out;
}
static const hone__box_bell *box_bell(box_host *h)
{
    return (hone__box_bell *)(void *)h->b.in;
}

static void box_open(box_host *h)
{
    static const hone_registry_opts nothing = {.only_paths = 1};
    static const hone_pair pair = {{"judge", 5}, {.type = HONE_STRING, .u.str = {"inner", 5}}};
    const hone_value config = {.type = HONE_MAP, .u.map = {(hone_pair *)(uintptr_t)&pair, 1}};
    const struct {
        const char *id;
        const void *vt;
    } offers[] = {{HONE_IFACE_REWARD, &box_reward},       {HONE_IFACE_TOKENIZER, &box_tokenizer},
                  {HONE_IFACE_OBJECTIVE, &box_objective}, {HONE_IFACE_OPTIMIZER, &box_optimizer},
                  {HONE_IFACE_LIVE, &box_live},           {"com.acme.unheard/1", &box_live}};
    const hone_component_info *info;
    memset(h, 0, sizeof *h);
    if (hone_registry_open(&nothing, &h->reg) < 0 ||
        hone_registry_add(h->reg, &box_inner, &info) < 0 ||
        hone_registry_add(h->reg, &box_outer, &info) < 0 ||
        hone_instance_create_info(h->reg, info, &config, &h->inst) < 0)
        abort();
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
        if (hone_registry_offer_ref(h->reg, offers[i].id, (hone_ref){NULL, offers[i].vt}) < 0)
            abort();
    h->p.inst = h->inst;
    h->b.out_fd = -1;
    h->b.in = mmap(NULL, HONE__BOX_IN, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    h->b.out = mmap(NULL, HONE__BOX_OUT, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (h->b.in == MAP_FAILED || h->b.out == MAP_FAILED)
        abort();
}

static void box_close(box_host *h)
{
    hone__reach_free(&h->p);
    munmap(h->b.in, HONE__BOX_IN);
    munmap(h->b.out, HONE__BOX_OUT);
    hone_instance_unref(h->inst);
    hone_registry_close(h->reg);
}

static hone_status box_ask(box_host *h, uint32_t kind, uint32_t number, const void *bytes,
                           size_t len)
{
    if (bytes && len)
        memcpy(h->b.out + HONE__BOX_ASK_AT, bytes, len);
    hone_free(h->p.asked); /* a copy of its own for each, whose end is seen */
    h->p.asked = NULL;
    h->p.asked_cap = 0;
    box_done(h)->ask_kind = kind;
    box_done(h)->ask_number = number;
    box_done(h)->ask_len = len;
    hone_status s = hone__reach_serve(&h->p, &h->b);
    if (h->p.n_reached > HONE__BOX_REACHED || box_bell(h)->answer_len > HONE__BOX_ANSWER_ROOM)
        abort();
    return s;
}

/* An interface of the host's, or with id NULL the component that is setting 0: its number, or -1 and the answer's error. */
static int box_number(box_host *h, const char *id)
{
    hone_arena a;
    hone_value v;
    int64_t number = -1;
    if (box_ask(h, id ? HONE__BOX_ASK_IFACE : HONE__BOX_ASK_SETTING, 0, id, id ? strlen(id) : 0) <
        0)
        abort();
    const hone_str told = {(const char *)h->b.in + HONE__BOX_ANSWER_AT, box_bell(h)->answer_len};
    if (box_bell(h)->answer < 0) {
        if (hone__box_read_error(told, "") != box_bell(h)->answer)
            abort();
        return -1;
    }
    hone_arena_init(&a, 0);
    if (hone_json_parse(told.ptr, told.len, "answer", &a, &v) < 0 ||
        hone_value_i64(&v, "number", -1, &number) < 0)
        abort();
    hone_arena_release(&a);
    return (int)number;
}

/* hone_wire's genuine call, spoiled, as a call-back. */
typedef struct box_case {
    wire_case w; /* first */
    box_host *h;
} box_case;
static void box_carry(wire_case *w, const char *iface, const char *slot, void *const *args)
{
    box_host *h = ((box_case *)(void *)w)->h;
    const int judge = strcmp(iface, HONE_IFACE_JUDGE) == 0;
    const int number = box_number(h, judge ? NULL : iface);
    hone_wire *wire;
    hone_wire_answer answer;
    hone_arena arena;
    size_t len, fixed;
    if (number < 0 || hone_wire_open(hone_desc_builtin(iface), NULL, &wire) < 0)
        abort();
    const hone_wire_slot *s = hone_wire_find(wire, slot);
    const hone_wire_place to = {h->b.out + HONE__BOX_ASK_AT, WIRE_ROOM, 0};
    hone_arena_init(&arena, 0);
    memset(to.at, 0, WIRE_ROOM);
    if (hone_wire_put(s, 7, args, &to, &len, &fixed) < 0)
        abort();
    w->spoil(w->ctx, 0, to.at, len);
    w->get = box_ask(h, HONE__BOX_ASK_CALL, (uint32_t)number, NULL, len);
    /* what the host wrote is sound, whatever it was asked */
    w->take = w->get < 0 ? w->get
                         : hone_wire_take(s, 7, args, h->b.in + HONE__BOX_ANSWER_AT,
                                          HONE__BOX_ANSWER_ROOM, &arena, &answer);
    hone_arena_release(&arena);
    hone_wire_close(wire);
}
static void box_case_run(box_case *c, unsigned which)
{
    c->w.carry = box_carry;
    wire_case_run(&c->w, which);
}
#endif
