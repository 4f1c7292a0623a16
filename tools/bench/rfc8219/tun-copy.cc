// The least that an engine on a TUN device can do: each packet is read and written back as it is. What routing leads
// into the device comes out of it again; an engine does its work between the two calls.
//
//   tun-copy DEVICE      until its input ends; the device is made, without packet information, and `ready` printed

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int count, char** words) {
  if (count != 2) {
    fprintf(stderr, "usage: tun-copy DEVICE\n");
    return 2;
  }
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq request{};
  strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
    perror(words[1]);
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  static unsigned char packet[65536];
  pollfd waits[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    ssize_t len;
    // A packet that the kernel does not take back (no route) is lost, as an engine's would be.
    while ((len = read(fd, packet, sizeof packet)) > 0)
      if (write(fd, packet, static_cast<size_t>(len)) < 0 && errno == EBADFD) return 0;
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return 1;
    if (waits[1].revents != 0) return 0;
  }
}
