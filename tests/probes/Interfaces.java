import java.net.InetAddress;
import java.net.NetworkInterface;
import java.util.Collections;

/** Prints the addresses of all network interfaces. */
class Interfaces {
    public static void main(String[] words) throws Exception {
        for (NetworkInterface one : Collections.list(NetworkInterface.getNetworkInterfaces()))
            for (InetAddress address : Collections.list(one.getInetAddresses()))
                System.out.println(address.getHostAddress().replaceAll("%.*", "").replaceAll("(^0|:0)(:0)*:", "::"));
    }
}
