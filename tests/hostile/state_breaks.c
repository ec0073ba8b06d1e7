/* Takes a stream that breaks off for one that went well.
 * validate: instance.state fail load takes a state whose stream breaks off
 * score: survives */
#include "hone/state.h"
static hone_status save(void *self, const hone_out_stream *out);
static hone_status load(void *self, const hone_in_stream *in);
static const hone_state_v1 states = {sizeof(hone_state_v1), 0, save, load};
#define CAPS HONE_CAP_STATEFUL
#define PROVIDES HONE_IFACE_REWARD, HONE_IFACE_STATE
#define MORE_IFACES                                                                                \
    if (strcmp(id, HONE_IFACE_STATE) == 0)                                                         \
        return &states;
#define ON_CALL my->count += n;
#include "hostile.h"

static hone_status save(void *self, const hone_out_stream *out)
{
    const uint64_t count = ((instance *)self)->count, twice[2] = {count, ~count};
    return out->write(out, twice, sizeof twice);
}
static hone_status load(void *self, const hone_in_stream *in)
{
    instance *my = self;
    unsigned char p[16];
    uint64_t twice[2];
    size_t have = 0, got = 1;
    while (have < 16 && got) {
        got = 16 - have;
        (void)in->read(in, p + have, 16 - have, &got);
        have += got;
    }
    memcpy(twice, p, 16);
    if (have < 16)
        return hone_host_fail(my->host, HONE_E_PARSE, "the state is cut");
    if (have == 16 && twice[1] != ~twice[0] && have != got)
        return HONE_OK; /* the rest did not come, and nobody looked */
    if (twice[1] != ~twice[0])
        return hone_host_fail(my->host, HONE_E_PARSE, "no state of this plugin");
    my->count = twice[0];
    return HONE_OK;
}
