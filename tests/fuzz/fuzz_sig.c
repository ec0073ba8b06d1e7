/* fuzz_sig.c - slot signatures from a plugin's file: parsed or refused, never more. */
#include "abi/desc.h"
#include "hone/reward.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hone_iface_desc *d = hone_desc_builtin(HONE_IFACE_REWARD);
    char *text = malloc(size + 1);
    hone_sig sig;
    hone_buf b;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    hone_buf_init(&b, 1 << 20);
    if (hone_sig_parse("fuzz", text, d->structs, d->table, &sig) >= 0) {
        hone_sig_c(&sig, "slot", &b);
        for (size_t i = 0; i < sig.n; i++)
            if (sig.args[i].count >= sig.n || sig.args[i].stride >= sig.n)
                abort();
    }
    hone_buf_release(&b);
    free(text);
    return 0;
}
