/* Makes a socket without a grant.
 * validate: instance.grants fail made a socket without NET
 * score: survives */
#include <sys/socket.h>
#define ON_CREATE                                                                                  \
    int s = socket(AF_INET, SOCK_STREAM, 0);                                                       \
    if (s >= 0)                                                                                    \
        close(s);
#include "hostile.h"
