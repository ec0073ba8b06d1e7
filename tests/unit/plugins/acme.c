/* A third party's own kind with its own interface, described beside its structs. */
#include "hone/plugin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct acme_point {
    double x, y;
} acme_point;
typedef struct acme_words {
    uint32_t struct_size, reserved;
    void *ctx;
    hone_status (*put)(const struct acme_words *sink, size_t at, hone_str text);
} acme_words;
typedef struct acme_map_v1 {
    uint32_t struct_size, reserved;
    hone_status (*nearest)(void *self, const acme_point *points, size_t n, acme_point *out,
                           double *distance);
    hone_status (*words)(void *self, hone_str text, uint32_t least, const acme_words *sink);
    hone_status (*scaled)(void *self, const float *in, size_t n, float factor, float *out);
    hone_str (*name)(void *self);
    double (*mid)(void *self, acme_point p);
} acme_map_v1;

HONE_DESCRIBE(point_desc, acme_point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
HONE_DESCRIBE(words_desc, acme_words, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx), (SLOT, put, 0, "this, at:size, text:str -> status", "one word"))
HONE_DESCRIBE_IFACE(
    map_desc, acme_map_v1, "com.acme.map/1", "com.acme.kind.map", (&point_desc, &words_desc),
    (SIZE, struct_size), (PAD, reserved),
    (SLOT, nearest, 0,
     "self, points:[acme_point; n], n:size, out:out acme_point, distance:out f64 -> status",
     "the point nearest to the first"),
    (SLOT, words, 0, "self, text:str, least:u32, sink:sink acme_words -> status",
     "the words of a text"),
    (SLOT, scaled, 0, "self, in:[f32; n], n:size, factor:f32, out:out [f32; n] -> status",
     "in * factor"),
    (SLOT, name, 0, "self -> str", "a name"),
    (SLOT, mid, 0, "self, p:by acme_point -> f64", "(x + y) / 2"))

static const hone_host *the_host;

static hone_status nearest(void *self, const acme_point *p, size_t n, acme_point *out,
                           double *distance)
{
    (void)self;
    if (n < 2)
        return hone_host_fail(the_host, HONE_E_INVALID, "no points");
    size_t best = 1;
    for (size_t i = 1; i < n; i++)
        if (hypot(p[i].x - p[0].x, p[i].y - p[0].y) < hypot(p[best].x - p[0].x, p[best].y - p[0].y))
            best = i;
    *out = p[best];
    *distance = hypot(p[best].x - p[0].x, p[best].y - p[0].y);
    return HONE_OK;
}
static hone_status words(void *self, hone_str text, uint32_t least, const acme_words *sink)
{
    (void)self;
    size_t n = 0;
    for (size_t i = 0; i < text.len && n < least; n++) {
        size_t e = i;
        while (e < text.len && text.ptr[e] != ' ')
            e++;
        hone_str w = {text.ptr + i, e - i};
        hone_status s = sink->put(sink, i, w);
        if (s < 0)
            return s;
        i = e + 1;
    }
    return HONE_OK;
}
static hone_status scaled(void *self, const float *in, size_t n, float factor, float *out)
{
    (void)self;
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * factor;
    return HONE_OK;
}
static hone_str name(void *self)
{
    (void)self;
    return hone_str_c("acme");
}
static double mid(void *self, acme_point p)
{
    (void)self;
    return (p.x + p.y) / 2;
}
static const acme_map_v1 vt = {sizeof vt, 0, nearest, words, scaled, name, mid};

/* "over": passes what it is asked on to the map it was given, twice as far away. */
typedef struct over_self {
    hone_ref map;
    char text[64];
} over_self;
static over_self the_over;

static hone_status over_nearest(void *self, const acme_point *p, size_t n, acme_point *out,
                                double *distance)
{
    const over_self *o = self;
    hone_status s = ((const acme_map_v1 *)o->map.vt)->nearest(o->map.self, p, n, out, distance);
    if (s >= 0)
        *distance *= 2;
    return s;
}
static hone_status over_words(void *self, hone_str text, uint32_t least, const acme_words *sink)
{
    const over_self *o = self;
    return ((const acme_map_v1 *)o->map.vt)->words(o->map.self, text, least, sink);
}
static hone_status over_scaled(void *self, const float *in, size_t n, float factor, float *out)
{
    const over_self *o = self;
    return ((const acme_map_v1 *)o->map.vt)->scaled(o->map.self, in, n, factor, out);
}
static hone_str over_name(void *self)
{
    over_self *o = self;
    hone_str inner = ((const acme_map_v1 *)o->map.vt)->name(o->map.self);
    int n = snprintf(o->text, sizeof o->text, "over %.*s", (int)inner.len, inner.ptr);
    return (hone_str){o->text, (size_t)n};
}
static double over_mid(void *self, acme_point p)
{
    const over_self *o = self;
    return 2 * ((const acme_map_v1 *)o->map.vt)->mid(o->map.self, p);
}
static const acme_map_v1 over_vt = {sizeof over_vt, 0,         over_nearest, over_words,
                                    over_scaled,    over_name, over_mid};

static hone_status over_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    the_host = host;
    *self_out = &the_over;
    return cfg->component(cfg, 0, &the_over.map);
}
static const void *over_get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, "com.acme.map/1") == 0 ? &over_vt : NULL;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    (void)cfg;
    the_host = host;
    *self_out = (void *)&the_host;
    return HONE_OK;
}
static void destroy(void *self)
{
    (void)self;
}
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, "com.acme.map/1") == 0 ? &vt : NULL;
}
static const char *const provides[] = {"com.acme.map/1", NULL};
static const hone_component map = {.struct_size = sizeof(hone_component),
                                   .id = "com.acme.map.map",
                                   .kind = "com.acme.kind.map",
                                   .version = "1",
                                   .provides = provides,
                                   .create = create,
                                   .destroy = destroy,
                                   .get_iface = get_iface};
static const hone_field *const over_fields[] = {
    HONE_COMPONENT("map", "com.acme.map/1", HONE_REQUIRED, "the map that is asked"), NULL};
static const hone_component over = {.struct_size = sizeof(hone_component),
                                    .id = "com.acme.map.over",
                                    .kind = "com.acme.kind.map",
                                    .version = "1",
                                    .fields = over_fields,
                                    .provides = provides,
                                    .create = over_create,
                                    .destroy = destroy,
                                    .get_iface = over_get_iface};
static const hone_component *const components[] = {&map, &over, NULL};
static const hone_iface_desc *const ifaces[] = {&map_desc, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components, .ifaces = ifaces};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
