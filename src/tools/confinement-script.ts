/**
 * Builds the world of a confined process and runs it there. Is itself the first process of new mount, pid and network
 * namespaces (util-linux `unshare`): a fresh tmpfs becomes the root; the system's programs and the listed paths are
 * bound into it, read-only unless marked `w`; nothing else of the machine's file system can be reached
 * (pivot_root(2)). It stays as process 1: when it ends, the kernel kills all that is left (pid_namespaces(7)), and the
 * confined program, which has fewer rights, cannot leave its group in its place.
 *
 * Arguments: ROOT CWD (r|w FROM TO)... -- PROGRAM ARGUMENT...
 * The text is fixed and every argument is data: nothing foreign is ever part of the script.
 */
export const CONFINEMENT_SCRIPT = `
set -eu
trap 'echo portcullis-confinement-failed >&2; exit 125' EXIT
umask 022
root=$1 cwd=$2
shift 2
read_only() {
  mount -o remount,bind,ro,nosuid,nodev "$1" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev,noexec "$1"
}
mount -t tmpfs -o mode=0755,nosuid,nodev,size=64m tmpfs "$root"
mkdir "$root/proc" "$root/dev" "$root/etc" "$root/usr" "$root/tmp"
chmod 1777 "$root/tmp"
mount --rbind /usr "$root/usr"
read_only "$root/usr"
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; read_only "$root/$name"
  fi
done
if [ -f /etc/ld.so.cache ]; then cp /etc/ld.so.cache "$root/etc/ld.so.cache"; fi
for name in null zero urandom random; do
  : > "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
while [ "$1" != -- ]; do
  kind=$1 from=$2 to=$root$3
  shift 3
  if [ -d "$from" ]; then mkdir -p "$to"
  else mkdir -p "$(dirname "$to")"; [ -e "$to" ] || : > "$to"
  fi
  mount --rbind "$from" "$to"
  if [ "$kind" = r ]; then read_only "$to"; fi
done
shift
[ -d "$root$cwd" ] || mkdir -p "$root$cwd"
cd "$root"
pivot_root . .
umount -l .
mount -o remount,ro,nosuid,nodev,mode=0755 / 2>/dev/null || true
cd "$cwd"
trap - EXIT
set +e
"$@"
exit $?
`
