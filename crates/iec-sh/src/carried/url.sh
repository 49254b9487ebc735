# carry_is_url TEXT: whether it is an address of the web, of letters that mean nothing to any shell or program.
carry_is_url() {
  case $1 in
    *[!]A-Za-z0-9:/._~%+@,=[-]*) return 1 ;;
    http://?* | https://?*) return 0 ;;
    *) return 1 ;;
  esac
}
