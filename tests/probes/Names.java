// Asks for the addresses of each name by JNDI's own DNS client.

import java.util.Hashtable;
import javax.naming.directory.InitialDirContext;

class Names {
    public static void main(String[] names) throws Exception {
        var environment = new Hashtable<String, String>();
        environment.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        environment.put("java.naming.provider.url", "dns:");
        var context = new InitialDirContext(environment);
        for (String name : names) {
            System.out.println(context.getAttributes(name, new String[] {"A"}).get("A").get());
        }
    }
}
