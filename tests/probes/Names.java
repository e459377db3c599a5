// Asks for the addresses of a name as HOW says, by libc or by a DNS client in Java: Names HOW NAME

import java.net.InetAddress;
import java.util.Hashtable;
import javax.naming.directory.InitialDirContext;

class Names {
    public static void main(String[] words) throws Exception {
        if (words[0].equals("InetAddress")) {
            for (InetAddress found : InetAddress.getAllByName(words[1])) {
                System.out.println(found.getHostAddress());
            }
            return;
        }
        var environment = new Hashtable<String, String>();
        environment.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        environment.put("java.naming.provider.url", "dns:");
        var context = new InitialDirContext(environment);
        System.out.println(context.getAttributes(words[1], new String[] {"A"}).get("A").get());
    }
}
